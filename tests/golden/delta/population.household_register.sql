CREATE TABLE curated.population__household_register (
  `register_id` STRING NOT NULL COMMENT '人口编号:户籍登记系统内的人口编号，终身不变。',
  `citizen_id` STRING COMMENT '公民身份号码:本人的 18 位公民身份号码（GB 11643）；15 位的已升为 18 位，不合规的为空，原值见 citizen_id_delivered。',
  `citizen_id_delivered` STRING COMMENT '公民身份号码（交付值）:部门交付的公民身份号码原文，供核对和整改，不对外提供。',
  `person_name` STRING NOT NULL COMMENT '姓名:证件上的姓名，允许生僻字和少数民族姓名中的间隔号。',
  `former_name` STRING COMMENT '曾用名:曾经使用并登记在案的姓名。',
  `sex_code` STRING NOT NULL COMMENT '性别:性别代码（GB/T 2261.1）：0 未知，1 男，2 女，9 未说明。',
  `ethnicity_code` STRING NOT NULL COMMENT '民族:民族代码（GB/T 3304）：01 汉族至 56 基诺族。',
  `birth_date` DATE NOT NULL COMMENT '出生日期:公历出生日期。',
  `birthplace_division_code` STRING COMMENT '出生地:出生地的县级行政区划代码（GB/T 2260），可以是已撤销的代码。',
  `native_division_code` STRING COMMENT '籍贯:祖居地的县级行政区划代码（GB/T 2260），可以是已撤销的代码。',
  `education_code` STRING COMMENT '文化程度:最高学历代码（GB/T 4658），如 10 研究生、20 大学本科、60 高中、70 初中、80 小学。',
  `marital_status_code` STRING COMMENT '婚姻状况:婚姻状况代码（GB/T 2261.2）：10 未婚，20 已婚，30 丧偶，40 离婚，90 未说明。',
  `military_service_code` STRING COMMENT '兵役状况:兵役状况代码：0 未服兵役，1 退出现役，2 服现役，3 预备役。',
  `household_number` STRING NOT NULL COMMENT '户号:户口簿的户号，同户成员相同。',
  `household_kind_code` STRING COMMENT '户类型:1 家庭户，2 集体户。',
  `relationship_code` STRING NOT NULL COMMENT '与户主关系:与户主关系代码（GB/T 4761）：02 户主，10 配偶，20 子，30 女，40 孙辈，50 父母，60 祖父母，70 兄弟姐妹，80 其他亲属，97 非亲属。',
  `registered_division_code` STRING NOT NULL COMMENT '户籍所在乡镇街道:户籍地址所在的乡镇街道（9 位代码）。',
  `registered_address` STRING COMMENT '户籍地址:户口簿登记的住址。',
  `community_code` STRING COMMENT '居（村）委会代码:户籍所在居（村）委会的 12 位统计用区划代码，前 9 位为乡镇街道。',
  `community_name` STRING COMMENT '居（村）委会:户籍所在居（村）委会的名称。',
  `police_station_code` STRING COMMENT '派出所代码:管辖派出所的 12 位公安机关机构代码。',
  `police_station_name` STRING COMMENT '派出所:管辖派出所的名称。',
  `death_date` DATE COMMENT '死亡日期:因死亡注销户口时登记的死亡日期；在世的为空。',
  `moved_out_date` DATE COMMENT '迁出日期:户口迁往市外的日期；未迁出的为空。',
  `cancelled_date` DATE COMMENT '注销日期:因死亡、迁出、入伍、重复登记等注销户口的日期。',
  `status_code` STRING NOT NULL COMMENT '登记状态:0 正常，1 注销。',
  `updated_at` TIMESTAMP_NTZ NOT NULL COMMENT '数据更新时间:登记系统中本条记录最后一次变更的时间，同一记录以它分先后。',
  `_delivery_id` STRING NOT NULL COMMENT '交付批次标识',
  `_row_hash` STRING NOT NULL COMMENT '交付行的散列值'
)
USING DELTA
COMMENT '户籍人口登记:一行是一名在本市有户籍登记记录的自然人。'
TBLPROPERTIES (
  'delta.enableChangeDataFeed'='true',
  'redcliff.contract'='population.household_register',
  'redcliff.contract.version'='1.0.0',
  'redcliff.contract.hash'='424daab1919a8ea4c53e8affcac60706f8985b946d2fa1c2127796de2340611f'
);
