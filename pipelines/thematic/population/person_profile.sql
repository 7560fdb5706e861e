-- One row is one natural person with what the city's departments know of them (一人一档).
-- Sources of the golden person join through the key register, all others by the valid citizen id.
WITH assignments AS (
    SELECT source_dataset, source_key, max_by(person_id, ordinal) AS person_id
    FROM thematic.population__person_key
    GROUP BY source_dataset, source_key
),
insurances AS (
    SELECT
        k.person_id,
        i.insurance_kind_code,
        i.insurance_status_code,
        i.employer_name,
        i.enrolled_date,
        row_number() OVER (
            PARTITION BY k.person_id ORDER BY i.enrolled_date DESC, i.insured_person_id
        ) AS recency
    FROM curated.population__insurance_register AS i
    INNER JOIN assignments AS k
        ON k.source_dataset = 'population.insurance_register' AND k.source_key = i.insured_person_id
),
payrolls AS (
    SELECT
        k.person_id,
        r.staff_kind_code,
        row_number() OVER (PARTITION BY k.person_id ORDER BY r.payroll_id) AS place
    FROM curated.population__public_payroll AS r
    INNER JOIN assignments AS k
        ON k.source_dataset = 'population.public_payroll' AND k.source_key = r.payroll_id
),
birth_certificates AS (
    SELECT k.person_id, min(b.certificate_number) AS certificate_number
    FROM curated.population__birth_certificate AS b
    INNER JOIN assignments AS k
        ON k.source_dataset = 'population.birth_certificate' AND k.source_key = b.certificate_number
    GROUP BY k.person_id
),
death_certificates AS (
    SELECT k.person_id, min(d.certificate_number) AS certificate_number
    FROM curated.population__death_certificate AS d
    INNER JOIN assignments AS k
        ON k.source_dataset = 'population.death_certificate' AND k.source_key = d.certificate_number
    GROUP BY k.person_id
),
cremation_records AS (
    SELECT k.person_id, min(c.record_number) AS record_number
    FROM curated.population__cremation_record AS c
    INNER JOIN assignments AS k
        ON k.source_dataset = 'population.cremation_record' AND k.source_key = c.record_number
    GROUP BY k.person_id
),
spouses AS (
    SELECT husband_citizen_id AS citizen_id, event_kind_code, registered_date
    FROM curated.population__marriage_register
    UNION ALL
    SELECT wife_citizen_id AS citizen_id, event_kind_code, registered_date
    FROM curated.population__marriage_register
),
marriages AS (
    SELECT
        citizen_id,
        max(CASE WHEN event_kind_code = '1' THEN registered_date END) AS last_married_date,
        max(CASE WHEN event_kind_code = '2' THEN registered_date END) AS last_divorced_date
    FROM spouses
    WHERE citizen_id IS NOT NULL
    GROUP BY citizen_id
),
represented AS (
    SELECT representative_citizen_id AS citizen_id, count(*) AS entity_count
    FROM thematic.legal_entity__entity
    WHERE representative_citizen_id IS NOT NULL AND status_code = '1'
    GROUP BY representative_citizen_id
),
vehicles AS (
    SELECT citizen_id, count(*) AS vehicle_count
    FROM curated.population__vehicle_register
    WHERE citizen_id IS NOT NULL AND status_code NOT IN ('E', 'M')
    GROUP BY citizen_id
),
real_estates AS (
    SELECT citizen_id, count(*) AS real_estate_count
    FROM curated.geography__real_estate_register
    WHERE citizen_id IS NOT NULL AND status_code = '1'
    GROUP BY citizen_id
),
allowances AS (
    SELECT
        citizen_id,
        allowance_kind_code,
        monthly_amount_yuan,
        approved_date,
        row_number() OVER (
            PARTITION BY citizen_id ORDER BY approved_date DESC, beneficiary_id
        ) AS recency
    FROM curated.benefit__living_allowance_list
    WHERE citizen_id IS NOT NULL
),
payments AS (
    SELECT citizen_id, amount_yuan, paid_date
    FROM curated.benefit__subsidy_payment
    WHERE payment_status_code = '1'
    UNION ALL
    SELECT citizen_id, amount_yuan, paid_date
    FROM curated.benefit__farm_subsidy_payment
),
subsidies AS (
    SELECT
        citizen_id,
        count(*) AS subsidy_count,
        sum(amount_yuan) AS subsidy_total_yuan,
        max(paid_date) AS last_subsidy_date
    FROM payments
    WHERE citizen_id IS NOT NULL
    GROUP BY citizen_id
),
licences AS (
    SELECT person_id, count(*) AS licence_count
    FROM thematic.licence__licence
    WHERE person_id IS NOT NULL
    GROUP BY person_id
),
credit_events AS (
    SELECT person_id, count(*) AS credit_event_count
    FROM thematic.credit__credit_event
    WHERE person_id IS NOT NULL
    GROUP BY person_id
)
SELECT
    p.person_id,
    p.citizen_id,
    p.person_name,
    p.sex_code,
    p.ethnicity_code,
    p.birth_date,
    p.death_date,
    p.marital_status_code,
    p.education_code,
    p.household_number,
    p.relationship_code,
    h.member_count AS household_member_count,
    p.registered_division_code,
    p.registered_address,
    p.residence_division_code,
    p.residence_address,
    p.phone,
    m.last_married_date,
    m.last_divorced_date,
    i.insurance_kind_code,
    i.insurance_status_code,
    i.employer_name,
    i.enrolled_date,
    y.person_id IS NOT NULL AS is_on_public_payroll,
    y.staff_kind_code,
    coalesce(r.entity_count, 0) AS represented_entity_count,
    coalesce(v.vehicle_count, 0) AS vehicle_count,
    coalesce(e.real_estate_count, 0) AS real_estate_count,
    a.allowance_kind_code,
    a.monthly_amount_yuan AS allowance_monthly_yuan,
    a.approved_date AS allowance_approved_date,
    coalesce(s.subsidy_count, 0) AS subsidy_count,
    CAST(coalesce(s.subsidy_total_yuan, 0) AS decimal(20, 2)) AS subsidy_total_yuan,
    s.last_subsidy_date,
    bc.certificate_number AS birth_certificate_number,
    dc.certificate_number AS death_certificate_number,
    cr.record_number AS cremation_record_number,
    coalesce(l.licence_count, 0) AS licence_count,
    coalesce(c.credit_event_count, 0) AS credit_event_count
FROM thematic.population__person AS p
LEFT JOIN thematic.population__household AS h ON h.household_number = p.household_number
LEFT JOIN marriages AS m ON m.citizen_id = p.citizen_id
LEFT JOIN insurances AS i ON i.person_id = p.person_id AND i.recency = 1
LEFT JOIN payrolls AS y ON y.person_id = p.person_id AND y.place = 1
LEFT JOIN represented AS r ON r.citizen_id = p.citizen_id
LEFT JOIN vehicles AS v ON v.citizen_id = p.citizen_id
LEFT JOIN real_estates AS e ON e.citizen_id = p.citizen_id
LEFT JOIN allowances AS a ON a.citizen_id = p.citizen_id AND a.recency = 1
LEFT JOIN subsidies AS s ON s.citizen_id = p.citizen_id
LEFT JOIN birth_certificates AS bc ON bc.person_id = p.person_id
LEFT JOIN death_certificates AS dc ON dc.person_id = p.person_id
LEFT JOIN cremation_records AS cr ON cr.person_id = p.person_id
LEFT JOIN licences AS l ON l.person_id = p.person_id
LEFT JOIN credit_events AS c ON c.person_id = p.person_id
