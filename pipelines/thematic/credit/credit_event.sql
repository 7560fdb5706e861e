-- One row is one adverse credit event: a penalty decided, an abnormal operation listed, a debtor declared dishonest.
-- Whether its publication has ended follows from its dates and is left to the reader.
WITH events AS (
    SELECT
        'credit.administrative_penalty' AS source_dataset,
        concat(p.document_number, '|', p.subject_name, '|', p.authority_name) AS source_key,
        '1' AS event_kind_code,
        p.subject_kind_code,
        p.subject_name,
        p.uscc,
        p.citizen_id,
        p.document_number,
        p.authority_name,
        p.decided_date,
        c.code AS penalty_class_code,
        p.violation_facts AS content,
        CASE
            WHEN p.fine_yuan IS NOT NULL OR p.confiscated_yuan IS NOT NULL
                THEN CAST(coalesce(p.fine_yuan, 0) + coalesce(p.confiscated_yuan, 0) AS decimal(20, 2))
        END AS amount_yuan,
        p.published_until,
        CAST(NULL AS date) AS removed_date
    FROM curated.credit__administrative_penalty AS p
    LEFT JOIN curated.reference__penalty_class AS c ON c.name = split_part(p.penalty_classes, ';', 1)
    UNION ALL
    SELECT
        'credit.abnormal_operation' AS source_dataset,
        record_id AS source_key,
        '2' AS event_kind_code,
        CAST(NULL AS varchar) AS subject_kind_code,
        entity_name AS subject_name,
        uscc,
        CAST(NULL AS varchar) AS citizen_id,
        CAST(NULL AS varchar) AS document_number,
        listed_authority_name AS authority_name,
        listed_date AS decided_date,
        CAST(NULL AS varchar) AS penalty_class_code,
        listed_reason AS content,
        CAST(NULL AS decimal(20, 2)) AS amount_yuan,
        CAST(NULL AS date) AS published_until,
        removed_date
    FROM curated.credit__abnormal_operation
    UNION ALL
    SELECT
        'credit.dishonest_debtor' AS source_dataset,
        record_id AS source_key,
        '3' AS event_kind_code,
        subject_kind_code,
        subject_name,
        uscc,
        citizen_id,
        case_number AS document_number,
        court_name AS authority_name,
        published_date AS decided_date,
        CAST(NULL AS varchar) AS penalty_class_code,
        behaviour AS content,
        amount_yuan,
        CAST(NULL AS date) AS published_until,
        removed_date
    FROM curated.credit__dishonest_debtor
)
SELECT
    v.source_dataset,
    v.source_key,
    v.event_kind_code,
    v.subject_kind_code,
    v.subject_name,
    v.uscc,
    v.citizen_id,
    e.entity_id,
    p.person_id,
    v.document_number,
    v.authority_name,
    v.decided_date,
    v.penalty_class_code,
    v.content,
    v.amount_yuan,
    v.published_until,
    v.removed_date
FROM events AS v
LEFT JOIN thematic.legal_entity__entity AS e ON e.uscc = v.uscc
LEFT JOIN thematic.population__person AS p ON p.citizen_id = v.citizen_id
