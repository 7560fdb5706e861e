-- One row is one town or sub-district of the city with its totals.
WITH registered AS (
    SELECT
        registered_division_code AS division_code,
        count(
            CASE
                WHEN death_date IS NULL AND moved_out_date IS NULL AND cancelled_date IS NULL THEN 1
            END
        ) AS person_count,
        count(
            CASE
                WHEN
                    death_date IS NULL AND moved_out_date IS NULL AND cancelled_date IS NULL
                    AND sex_code = '1'
                    THEN 1
            END
        ) AS male_count,
        count(
            CASE
                WHEN
                    death_date IS NULL AND moved_out_date IS NULL AND cancelled_date IS NULL
                    AND sex_code = '2'
                    THEN 1
            END
        ) AS female_count,
        count(death_date) AS deceased_count
    FROM thematic.population__person
    GROUP BY registered_division_code
),
residents AS (
    SELECT residence_division_code AS division_code, count(*) AS person_count
    FROM thematic.population__person
    WHERE death_date IS NULL
    GROUP BY residence_division_code
),
households AS (
    SELECT registered_division_code AS division_code, count(*) AS household_count
    FROM thematic.population__household
    WHERE member_count > 0
    GROUP BY registered_division_code
),
entities AS (
    SELECT registered_division_code AS division_code, count(*) AS entity_count
    FROM thematic.legal_entity__entity
    WHERE status_code = '1'
    GROUP BY registered_division_code
),
addresses AS (
    SELECT division_code, count(*) AS address_count
    FROM thematic.geography__address
    WHERE status_code = '1'
    GROUP BY division_code
),
buildings AS (
    SELECT division_code, count(*) AS building_count
    FROM curated.geography__building_register
    GROUP BY division_code
),
grid_cells AS (
    SELECT division_code, count(*) AS grid_cell_count
    FROM thematic.geography__grid_cell
    GROUP BY division_code
),
allowances AS (
    SELECT
        residence_division_code AS division_code,
        count(*) AS person_count,
        sum(monthly_amount_yuan) AS monthly_yuan
    FROM curated.benefit__living_allowance_list
    GROUP BY residence_division_code
),
farm_subsidies AS (
    SELECT residence_division_code AS division_code, sum(amount_yuan) AS total_yuan
    FROM curated.benefit__farm_subsidy_payment
    GROUP BY residence_division_code
)
SELECT
    d.division_code,
    d.division_name,
    coalesce(p.person_count, 0) AS registered_person_count,
    coalesce(p.male_count, 0) AS registered_male_count,
    coalesce(p.female_count, 0) AS registered_female_count,
    CAST(ratio(p.male_count, nullif(p.female_count, 0), 4) AS decimal(10, 4)) AS sex_ratio,
    coalesce(h.household_count, 0) AS household_count,
    coalesce(r.person_count, 0) AS residence_registered_count,
    coalesce(p.deceased_count, 0) AS deceased_count,
    coalesce(e.entity_count, 0) AS entity_count,
    coalesce(a.address_count, 0) AS address_count,
    coalesce(b.building_count, 0) AS building_count,
    coalesce(g.grid_cell_count, 0) AS grid_cell_count,
    coalesce(l.person_count, 0) AS allowance_person_count,
    CAST(coalesce(l.monthly_yuan, 0) AS decimal(20, 2)) AS allowance_monthly_yuan,
    CAST(coalesce(f.total_yuan, 0) AS decimal(20, 2)) AS farm_subsidy_total_yuan
FROM thematic.geography__division AS d
LEFT JOIN registered AS p ON p.division_code = d.division_code
LEFT JOIN residents AS r ON r.division_code = d.division_code
LEFT JOIN households AS h ON h.division_code = d.division_code
LEFT JOIN entities AS e ON e.division_code = d.division_code
LEFT JOIN addresses AS a ON a.division_code = d.division_code
LEFT JOIN buildings AS b ON b.division_code = d.division_code
LEFT JOIN grid_cells AS g ON g.division_code = d.division_code
LEFT JOIN allowances AS l ON l.division_code = d.division_code
LEFT JOIN farm_subsidies AS f ON f.division_code = d.division_code
WHERE d.parent_code = '421281' AND d.is_current
