-- One row per sex.
SELECT
    sex_code,
    count(*) AS births
FROM curated.population__birth_certificate
GROUP BY sex_code
