-- One row is one licensing decision (行政许可) or one licence, whoever issued it.
-- Whether it is valid today follows from its dates and status and is left to the reader.
WITH licences AS (
    SELECT
        'licence.administrative_licence' AS source_dataset,
        concat(document_number, '|', subject_name, '|', authority_uscc) AS source_key,
        licence_number,
        coalesce(certificate_name, document_name) AS licence_name,
        document_number,
        licence_class_code,
        subject_kind_code AS holder_kind_code,
        subject_name AS holder_name,
        uscc,
        citizen_id,
        content,
        authority_name AS issuer_name,
        decided_date,
        valid_from,
        valid_to,
        coalesce(is_permanent, false) AS is_permanent,
        status_code,
        CAST(NULL AS date) AS cancelled_date
    FROM curated.licence__administrative_licence
    UNION ALL
    SELECT
        'licence.food_licence' AS source_dataset,
        licence_number AS source_key,
        licence_number,
        '食品经营许可证' AS licence_name,
        CAST(NULL AS varchar) AS document_number,
        '01' AS licence_class_code,
        CAST(NULL AS varchar) AS holder_kind_code,
        entity_name AS holder_name,
        uscc,
        CAST(NULL AS varchar) AS citizen_id,
        concat(business_kind, '：', business_items) AS content,
        authority_name AS issuer_name,
        issued_date AS decided_date,
        valid_from,
        valid_to,
        false AS is_permanent,
        CASE WHEN status_code = '1' THEN '1' ELSE '2' END AS status_code,
        cancelled_date
    FROM curated.licence__food_licence
)
SELECT
    l.source_dataset,
    l.source_key,
    l.licence_number,
    l.licence_name,
    l.document_number,
    l.licence_class_code,
    l.holder_kind_code,
    l.holder_name,
    l.uscc,
    l.citizen_id,
    e.entity_id,
    p.person_id,
    l.content,
    l.issuer_name,
    l.decided_date,
    l.valid_from,
    l.valid_to,
    l.is_permanent,
    l.status_code,
    l.cancelled_date
FROM licences AS l
LEFT JOIN thematic.legal_entity__entity AS e ON e.uscc = l.uscc
LEFT JOIN thematic.population__person AS p ON p.citizen_id = l.citizen_id
