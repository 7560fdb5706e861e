CREATE TABLE curated.reference__working_day (
  `calendar_date` DATE NOT NULL COMMENT '日期:公历日期。',
  `is_working_day` BOOLEAN NOT NULL COMMENT '是否工作日:按国务院办公厅放假通知，调休上班的周末为是，放假的工作日为否。',
  `name` STRING COMMENT '名称:节假日名称；调休上班的为该节假日名称加“调休上班”，普通周末为“周末”，普通工作日为空。',
  `_delivery_id` STRING NOT NULL COMMENT '交付批次标识',
  `_row_hash` STRING NOT NULL COMMENT '交付行的散列值'
)
USING DELTA
COMMENT '工作日历:一行是一个日期。'
TBLPROPERTIES (
  'delta.enableChangeDataFeed'='true',
  'redcliff.contract'='reference.working_day',
  'redcliff.contract.version'='1.0.0',
  'redcliff.contract.hash'='beb17d56db63c4993bda5a4bbe258b0c631c00d1965fc89ca99433127822e37a'
);
