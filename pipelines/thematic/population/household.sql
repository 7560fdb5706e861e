-- One row is one registered household (户籍登记的户), from the golden persons who carry its number.
-- A member is on the register while neither dead, moved out nor cancelled.
WITH members AS (
    SELECT
        household_number,
        person_id,
        citizen_id,
        person_name,
        sex_code,
        birth_date,
        relationship_code,
        registered_division_code,
        registered_address,
        death_date IS NULL AND moved_out_date IS NULL AND cancelled_date IS NULL AS is_registered
    FROM thematic.population__person
    WHERE household_number IS NOT NULL
),
heads AS (
    SELECT
        household_number,
        person_id,
        person_name,
        registered_division_code,
        registered_address,
        row_number() OVER (
            PARTITION BY household_number
            ORDER BY birth_date NULLS LAST, citizen_id NULLS LAST, person_id
        ) AS seniority
    FROM members
    WHERE relationship_code = '02' AND is_registered
),
households AS (
    SELECT
        household_number,
        min(registered_division_code) AS registered_division_code,
        min(registered_address) AS registered_address,
        count(CASE WHEN is_registered THEN 1 END) AS member_count,
        count(CASE WHEN is_registered AND sex_code = '1' THEN 1 END) AS male_count,
        count(CASE WHEN is_registered AND sex_code = '2' THEN 1 END) AS female_count,
        min(CASE WHEN is_registered THEN birth_date END) AS oldest_birth_date,
        max(CASE WHEN is_registered THEN birth_date END) AS youngest_birth_date,
        count(CASE WHEN NOT is_registered THEN 1 END) AS former_member_count
    FROM members
    GROUP BY household_number
)
SELECT
    h.household_number,
    d.person_id AS head_person_id,
    d.person_name AS head_name,
    coalesce(d.registered_division_code, h.registered_division_code) AS registered_division_code,
    coalesce(d.registered_address, h.registered_address) AS registered_address,
    h.member_count,
    h.male_count,
    h.female_count,
    h.oldest_birth_date,
    h.youngest_birth_date,
    h.former_member_count
FROM households AS h
LEFT JOIN heads AS d ON d.household_number = h.household_number AND d.seniority = 1
