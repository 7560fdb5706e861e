CREATE TABLE curated.reference__working_day (
   calendar_date date NOT NULL COMMENT '日期:公历日期。',
   is_working_day boolean NOT NULL COMMENT '是否工作日:按国务院办公厅放假通知，调休上班的周末为是，放假的工作日为否。',
   name varchar COMMENT '名称:节假日名称；调休上班的为该节假日名称加“调休上班”，普通周末为“周末”，普通工作日为空。',
   _delivery_id varchar NOT NULL COMMENT '交付批次标识',
   _row_hash varchar NOT NULL COMMENT '交付行的散列值'
)
COMMENT '工作日历:一行是一个日期。';

CREATE TABLE curated.reference__working_day__quarantine (
   _delivery_id varchar NOT NULL COMMENT '交付批次标识',
   _last_delivery_id varchar NOT NULL COMMENT '最近一次出现的交付批次',
   _file varchar NOT NULL COMMENT '所在文件',
   _row_number bigint NOT NULL COMMENT '在文件中的记录序号,从 1 起',
   _row_hash varchar NOT NULL COMMENT '交付行的散列值',
   _key varchar COMMENT '主键各列以 | 相连,不可读时为空',
   _record varchar NOT NULL COMMENT '交付原文(JSON)',
   _broken_rules array(varchar) NOT NULL COMMENT '未通过的规则',
   _contract_version varchar NOT NULL COMMENT '判定所依据的契约版本',
   _closed_by varchar COMMENT '关闭本行的交付批次,空为未整改'
)
COMMENT '工作日历(问题数据):未通过规则的行,整改后关闭。';
