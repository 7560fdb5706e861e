-- One row is one division code, in use or not, with its full name and the code that stands for the place now.
-- 市辖区 and the like are shelves of the code, not names of a place, and stay out of names.
WITH cities AS (
    SELECT
        code,
        CASE
            WHEN name NOT IN ('市辖区', '县', '省直辖县级行政区划', '自治区直辖县级行政区划') THEN name
        END AS name
    FROM curated.reference__division
    WHERE level = 2
)
SELECT
    d.code AS division_code,
    d.name AS division_name,
    concat(
        CASE WHEN d.level > 1 THEN coalesce(p.name, '') ELSE '' END,
        CASE WHEN d.level > 2 THEN coalesce(c.name, '') ELSE '' END,
        CASE WHEN d.level > 3 THEN coalesce(k.name, '') ELSE '' END,
        d.name
    ) AS full_name,
    d.level,
    d.parent_code,
    p.name AS province_name,
    c.name AS city_name,
    k.name AS county_name,
    d.is_current,
    coalesce(n2.replaced_by, n1.replaced_by, d.replaced_by, d.code) AS current_code,
    d.valid_from,
    d.valid_to
FROM curated.reference__division AS d
LEFT JOIN curated.reference__division AS p ON p.code = concat(substr(d.code, 1, 2), '0000')
LEFT JOIN cities AS c ON c.code = concat(substr(d.code, 1, 4), '00')
LEFT JOIN curated.reference__division AS k ON k.code = substr(d.code, 1, 6) AND k.level = 3
LEFT JOIN curated.reference__division AS n1 ON n1.code = d.replaced_by
LEFT JOIN curated.reference__division AS n2 ON n2.code = n1.replaced_by
