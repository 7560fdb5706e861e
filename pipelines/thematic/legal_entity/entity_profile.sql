-- One row is one legal entity with what the city's departments know of it (一企一档).
WITH assignments AS (
    SELECT source_dataset, source_key, max_by(entity_id, ordinal) AS entity_id
    FROM thematic.legal_entity__entity_key
    GROUP BY source_dataset, source_key
),
licences AS (
    SELECT
        entity_id,
        count(*) AS licence_count,
        count(CASE WHEN source_dataset = 'licence.food_licence' THEN 1 END) AS food_licence_count,
        max(decided_date) AS last_licence_date
    FROM thematic.licence__licence
    WHERE entity_id IS NOT NULL
    GROUP BY entity_id
),
credit_events AS (
    SELECT
        entity_id,
        count(CASE WHEN event_kind_code = '1' THEN 1 END) AS penalty_count,
        sum(CASE WHEN event_kind_code = '1' THEN amount_yuan END) AS fine_total_yuan,
        max(CASE WHEN event_kind_code = '1' THEN decided_date END) AS last_penalty_date,
        count(CASE WHEN event_kind_code = '2' AND removed_date IS NULL THEN 1 END) AS abnormal_open_count,
        count(CASE WHEN event_kind_code = '3' AND removed_date IS NULL THEN 1 END) AS dishonest_open_count
    FROM thematic.credit__credit_event
    WHERE entity_id IS NOT NULL
    GROUP BY entity_id
),
ratings AS (
    SELECT
        k.entity_id,
        r.rating_year,
        r.rating_code,
        row_number() OVER (
            PARTITION BY k.entity_id ORDER BY r.rating_year DESC, r.taxpayer_register_id
        ) AS recency
    FROM curated.credit__tax_rating AS r
    INNER JOIN assignments AS k
        ON k.source_dataset = 'credit.tax_rating' AND k.source_key = r.taxpayer_register_id
),
changes AS (
    SELECT k.entity_id, count(*) AS change_count, max(c.changed_date) AS last_changed_date
    FROM curated.legal_entity__change_record AS c
    INNER JOIN assignments AS k
        ON k.source_dataset = 'legal_entity.market_register' AND k.source_key = c.entity_register_id
    GROUP BY k.entity_id
),
insured AS (
    SELECT employer_uscc AS uscc, count(*) AS person_count
    FROM curated.population__insurance_register
    WHERE employer_uscc IS NOT NULL AND insurance_status_code = '1'
    GROUP BY employer_uscc
),
vehicles AS (
    SELECT uscc, count(*) AS vehicle_count
    FROM curated.population__vehicle_register
    WHERE uscc IS NOT NULL AND status_code NOT IN ('E', 'M')
    GROUP BY uscc
),
real_estates AS (
    SELECT uscc, count(*) AS real_estate_count
    FROM curated.geography__real_estate_register
    WHERE uscc IS NOT NULL AND status_code = '1'
    GROUP BY uscc
)
SELECT
    e.entity_id,
    e.uscc,
    e.entity_name,
    e.entity_category_code,
    e.representative_name,
    e.industry_section_code,
    e.registered_capital_yuan,
    e.established_date,
    e.status_code,
    e.cancelled_date,
    e.registered_division_code,
    e.registered_address,
    coalesce(l.licence_count, 0) AS licence_count,
    coalesce(l.food_licence_count, 0) AS food_licence_count,
    l.last_licence_date,
    coalesce(v.penalty_count, 0) AS penalty_count,
    CAST(coalesce(v.fine_total_yuan, 0) AS decimal(20, 2)) AS fine_total_yuan,
    v.last_penalty_date,
    coalesce(v.abnormal_open_count, 0) AS abnormal_open_count,
    coalesce(v.dishonest_open_count, 0) AS dishonest_open_count,
    r.rating_year AS tax_rating_year,
    r.rating_code AS tax_rating_code,
    coalesce(c.change_count, 0) AS change_count,
    c.last_changed_date,
    coalesce(i.person_count, 0) AS insured_person_count,
    coalesce(m.vehicle_count, 0) AS vehicle_count,
    coalesce(t.real_estate_count, 0) AS real_estate_count
FROM thematic.legal_entity__entity AS e
LEFT JOIN licences AS l ON l.entity_id = e.entity_id
LEFT JOIN credit_events AS v ON v.entity_id = e.entity_id
LEFT JOIN ratings AS r ON r.entity_id = e.entity_id AND r.recency = 1
LEFT JOIN changes AS c ON c.entity_id = e.entity_id
LEFT JOIN insured AS i ON i.uscc = e.uscc
LEFT JOIN vehicles AS m ON m.uscc = e.uscc
LEFT JOIN real_estates AS t ON t.uscc = e.uscc
