-- One row is one legal entity with at least one adverse credit event.
WITH events AS (
    SELECT
        entity_id,
        count(*) AS event_count,
        count(CASE WHEN event_kind_code = '1' THEN 1 END) AS penalty_count,
        sum(CASE WHEN event_kind_code = '1' THEN amount_yuan END) AS fine_total_yuan,
        count(CASE WHEN event_kind_code = '2' THEN 1 END) AS abnormal_count,
        count(CASE WHEN event_kind_code = '2' AND removed_date IS NULL THEN 1 END) AS abnormal_open_count,
        count(CASE WHEN event_kind_code = '3' THEN 1 END) AS dishonest_count,
        count(CASE WHEN event_kind_code = '3' AND removed_date IS NULL THEN 1 END) AS dishonest_open_count,
        min(decided_date) AS first_event_date,
        max(decided_date) AS last_event_date
    FROM thematic.credit__credit_event
    WHERE entity_id IS NOT NULL
    GROUP BY entity_id
),
taxpayers AS (
    SELECT source_key AS taxpayer_register_id, max_by(entity_id, ordinal) AS entity_id
    FROM thematic.legal_entity__entity_key
    WHERE source_dataset = 'credit.tax_rating'
    GROUP BY source_key
),
ratings AS (
    SELECT
        t.entity_id,
        r.rating_year,
        r.rating_code,
        row_number() OVER (
            PARTITION BY t.entity_id ORDER BY r.rating_year DESC, r.taxpayer_register_id
        ) AS recency
    FROM curated.credit__tax_rating AS r
    INNER JOIN taxpayers AS t ON t.taxpayer_register_id = r.taxpayer_register_id
)
SELECT
    e.entity_id,
    e.uscc,
    e.entity_name,
    e.industry_section_code,
    v.event_count,
    v.penalty_count,
    CAST(coalesce(v.fine_total_yuan, 0) AS decimal(20, 2)) AS fine_total_yuan,
    v.abnormal_count,
    v.abnormal_open_count,
    v.dishonest_count,
    v.dishonest_open_count,
    v.first_event_date,
    v.last_event_date,
    r.rating_year AS tax_rating_year,
    r.rating_code AS tax_rating_code
FROM events AS v
INNER JOIN thematic.legal_entity__entity AS e ON e.entity_id = v.entity_id
LEFT JOIN ratings AS r ON r.entity_id = v.entity_id AND r.recency = 1
