-- One row is one grid cell (社会治理网格) with what stands in it.
WITH addresses AS (
    SELECT
        grid_cell_id,
        count(*) AS address_count,
        count(CASE WHEN address_kind_code = '1' THEN 1 END) AS dwelling_address_count,
        count(DISTINCT building_id) AS building_count
    FROM curated.geography__address_register
    WHERE grid_cell_id IS NOT NULL AND status_code = '1'
    GROUP BY grid_cell_id
)
SELECT
    g.grid_cell_id,
    g.grid_cell_name,
    g.division_code,
    d.division_name,
    g.community_name,
    g.grid_cell_kind_code,
    g.area_m2,
    coalesce(a.address_count, 0) AS address_count,
    coalesce(a.dwelling_address_count, 0) AS dwelling_address_count,
    coalesce(a.building_count, 0) AS building_count,
    CAST(
        ratio(coalesce(a.address_count, 0) * 1000000, nullif(g.area_m2, 0), 2) AS decimal(12, 2)
    ) AS address_density,
    g.boundary
FROM curated.geography__grid_register AS g
LEFT JOIN addresses AS a ON a.grid_cell_id = g.grid_cell_id
LEFT JOIN thematic.geography__division AS d ON d.division_code = g.division_code
