CREATE TABLE curated.environment__air_reading (
   station_code varchar NOT NULL COMMENT '站点编码:监测站的统一编码，见空气质量监测站。',
   measured_at timestamp(6) NOT NULL COMMENT '监测时间:监测小时的结束时刻（北京时间整点）。',
   aqi integer COMMENT '空气质量指数:小时空气质量指数（AQI），0 至 500。',
   pm25_ug_m3 decimal(8,2) COMMENT '细颗粒物（微克/立方米）:细颗粒物的小时平均浓度，单位微克/立方米；仪器校准或故障时为空。',
   pm10_ug_m3 decimal(8,2) COMMENT '可吸入颗粒物（微克/立方米）:可吸入颗粒物的小时平均浓度，单位微克/立方米；仪器校准或故障时为空。',
   so2_ug_m3 decimal(8,2) COMMENT '二氧化硫（微克/立方米）:二氧化硫的小时平均浓度，单位微克/立方米；仪器校准或故障时为空。',
   no2_ug_m3 decimal(8,2) COMMENT '二氧化氮（微克/立方米）:二氧化氮的小时平均浓度，单位微克/立方米；仪器校准或故障时为空。',
   o3_ug_m3 decimal(8,2) COMMENT '臭氧（微克/立方米）:臭氧的小时平均浓度，单位微克/立方米；仪器校准或故障时为空。',
   co_mg_m3 decimal(8,2) COMMENT '一氧化碳（毫克/立方米）:一氧化碳的小时平均浓度，单位毫克/立方米；仪器校准或故障时为空。',
   _delivery_id varchar NOT NULL COMMENT '交付批次标识',
   _row_hash varchar NOT NULL COMMENT '交付行的散列值'
)
COMMENT '空气质量小时数据:一行是一个监测站一个小时的监测结果。';

CREATE TABLE curated.environment__air_reading__quarantine (
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
COMMENT '空气质量小时数据(问题数据):未通过规则的行,整改后关闭。';
