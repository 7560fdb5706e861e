-- One row is one section of the industry classification (行业门类) with its totals.
WITH entities AS (
    SELECT
        industry_section_code,
        count(*) AS entity_count,
        count(CASE WHEN status_code = '1' THEN 1 END) AS active_entity_count,
        count(CASE WHEN status_code = '1' AND entity_category_code = '2' THEN 1 END) AS self_employed_count,
        sum(
            CASE
                WHEN status_code = '1' AND coalesce(capital_currency_code, '156') = '156'
                    THEN registered_capital_yuan
            END
        ) AS registered_capital_yuan,
        sum(CASE WHEN status_code = '1' THEN employee_count END) AS employee_count
    FROM thematic.legal_entity__entity
    GROUP BY industry_section_code
),
licences AS (
    SELECT e.industry_section_code, count(*) AS licence_count
    FROM thematic.licence__licence AS l
    INNER JOIN thematic.legal_entity__entity AS e ON e.entity_id = l.entity_id
    GROUP BY e.industry_section_code
),
penalties AS (
    SELECT
        industry_section_code,
        sum(penalty_count) AS penalty_count,
        sum(fine_total_yuan) AS fine_total_yuan,
        count(CASE WHEN penalty_count > 0 THEN 1 END) AS penalised_entity_count
    FROM thematic.credit__credit_file
    GROUP BY industry_section_code
)
SELECT
    i.code AS industry_section_code,
    i.name AS industry_section_name,
    coalesce(e.entity_count, 0) AS entity_count,
    coalesce(e.active_entity_count, 0) AS active_entity_count,
    coalesce(e.self_employed_count, 0) AS self_employed_count,
    CAST(coalesce(e.registered_capital_yuan, 0) AS decimal(20, 2)) AS registered_capital_yuan,
    CAST(coalesce(e.employee_count, 0) AS bigint) AS employee_count,
    coalesce(l.licence_count, 0) AS licence_count,
    CAST(coalesce(p.penalty_count, 0) AS bigint) AS penalty_count,
    CAST(coalesce(p.fine_total_yuan, 0) AS decimal(20, 2)) AS fine_total_yuan,
    coalesce(p.penalised_entity_count, 0) AS penalised_entity_count,
    CAST(
        ratio(coalesce(p.penalised_entity_count, 0), nullif(e.entity_count, 0), 4) AS decimal(10, 4)
    ) AS penalised_share
FROM curated.reference__industry AS i
LEFT JOIN entities AS e ON e.industry_section_code = i.code
LEFT JOIN licences AS l ON l.industry_section_code = i.code
LEFT JOIN penalties AS p ON p.industry_section_code = i.code
WHERE i.level = 1
