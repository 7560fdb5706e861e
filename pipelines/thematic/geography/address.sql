-- One row is one standard address with its town, building and grid cell.
SELECT
    a.address_id,
    a.full_address,
    a.division_code,
    d.division_name,
    a.community_code,
    a.community_name,
    a.road_name,
    a.door_number,
    a.estate_name,
    a.building_id,
    b.building_name,
    b.use_code AS building_use_code,
    b.floor_count AS building_floor_count,
    a.grid_cell_id,
    g.grid_cell_name,
    a.address_kind_code,
    a.longitude,
    a.latitude,
    a.status_code,
    a.registered_date,
    a.cancelled_date
FROM curated.geography__address_register AS a
LEFT JOIN thematic.geography__division AS d ON d.division_code = a.division_code
LEFT JOIN curated.geography__building_register AS b ON b.building_id = a.building_id
LEFT JOIN curated.geography__grid_register AS g ON g.grid_cell_id = a.grid_cell_id
