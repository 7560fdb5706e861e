CREATE TABLE thematic.credit__credit_file (
  `entity_id` STRING NOT NULL COMMENT '主体标识:平台为每户法人或其他组织分配的标识，名称、住所变更时不变。',
  `uscc` STRING COMMENT '统一社会信用代码:18 位统一社会信用代码（GB 32100）；没有或不合规的为空。',
  `entity_name` STRING NOT NULL COMMENT '企业名称:登记的主体名称；个体工商户为字号名称。',
  `industry_section_code` STRING COMMENT '行业门类:国民经济行业门类（GB/T 4754），A 至 T。',
  `event_count` BIGINT NOT NULL COMMENT '信用事件数:不良信用事件的总数。',
  `penalty_count` BIGINT NOT NULL COMMENT '行政处罚数:行政处罚的次数。',
  `fine_total_yuan` DECIMAL(20, 2) NOT NULL COMMENT '罚没金额合计（元）:行政处罚中罚款与没收金额的合计。',
  `abnormal_count` BIGINT NOT NULL COMMENT '列入经营异常次数:列入经营异常名录的次数。',
  `abnormal_open_count` BIGINT NOT NULL COMMENT '未移出的经营异常数:没有移出日期的经营异常列入次数。',
  `dishonest_count` BIGINT NOT NULL COMMENT '纳入失信名单次数:纳入失信被执行人名单的次数。',
  `dishonest_open_count` BIGINT NOT NULL COMMENT '未撤出的失信记录数:没有撤出日期的失信被执行记录数。',
  `first_event_date` DATE NOT NULL COMMENT '最早事件日期:最早一次不良信用事件的决定日期。',
  `last_event_date` DATE NOT NULL COMMENT '最近事件日期:最近一次不良信用事件的决定日期。',
  `tax_rating_year` INT COMMENT '纳税信用评价年度:最近一次纳税信用评价的年度；没有评价的为空。',
  `tax_rating_code` STRING COMMENT '纳税信用级别:最近一次纳税信用评价的级别：A、B、M、C、D；没有评价的为空。',
  `_row_hash` STRING NOT NULL COMMENT '本行各字段的散列值'
)
USING DELTA
COMMENT '信用档案:一行是一户至少有一次不良信用事件的法人或其他组织。'
TBLPROPERTIES (
  'delta.enableChangeDataFeed'='true',
  'redcliff.contract'='credit.credit_file',
  'redcliff.contract.version'='1.0.0',
  'redcliff.contract.hash'='abdcf3bb89cd770cfd41fe300c830b1d79de5c19c4274b4a1e0f180e27b84aa5'
);
