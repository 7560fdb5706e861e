CREATE TABLE thematic.population__person (
   person_id varchar NOT NULL COMMENT '人员标识:平台为每名自然人分配的标识，与证件号码无关，来源增减时不变。',
   citizen_id varchar COMMENT '公民身份号码:18 位公民身份号码（GB 11643）；没有或不合规的为空。',
   person_name varchar NOT NULL COMMENT '姓名:证件上的姓名，允许生僻字和少数民族姓名中的间隔号。',
   former_name varchar COMMENT '曾用名:曾经使用并登记在案的姓名。',
   sex_code varchar COMMENT '性别:性别代码（GB/T 2261.1）：0 未知，1 男，2 女，9 未说明。',
   ethnicity_code varchar COMMENT '民族:民族代码（GB/T 3304）：01 汉族至 56 基诺族。',
   birth_date date COMMENT '出生日期:公历出生日期。',
   marital_status_code varchar COMMENT '婚姻状况:婚姻状况代码（GB/T 2261.2）：10 未婚，20 已婚，30 丧偶，40 离婚，90 未说明。',
   education_code varchar COMMENT '文化程度:最高学历代码（GB/T 4658），如 10 研究生、20 大学本科、60 高中、70 初中、80 小学。',
   household_number varchar COMMENT '户号:户口簿的户号，同户成员相同。',
   relationship_code varchar COMMENT '与户主关系:与户主关系代码（GB/T 4761）：02 户主，10 配偶，20 子，30 女，40 孙辈，50 父母，60 祖父母，70 兄弟姐妹，80 其他亲属，97 非亲属。',
   registered_division_code varchar COMMENT '户籍所在乡镇街道:户籍地址所在的乡镇街道（9 位代码）。',
   registered_address varchar COMMENT '户籍地址:户口簿登记的住址。',
   residence_division_code varchar COMMENT '居住地乡镇街道:现居住地所在的乡镇街道（9 位代码）。',
   residence_address varchar COMMENT '居住地址:现居住地的详细地址。',
   phone varchar COMMENT '联系电话:本人登记的联系电话。',
   death_date date COMMENT '死亡日期:死亡日期：先取死亡医学证明，次取火化登记，再取户籍登记；在世或未登记的为空。',
   moved_out_date date COMMENT '户口迁出日期:户口迁往市外的日期；未迁出的为空。',
   cancelled_date date COMMENT '户籍注销日期:因死亡、迁出、入伍、重复登记等注销户口的日期。',
   _sources map(varchar, varchar) COMMENT '字段来源:每个字段取自哪个数据集：字段名到数据集标识的映射。',
   _row_hash varchar NOT NULL COMMENT '本行各字段的散列值'
)
COMMENT '人口基础信息:一行是一名自然人。';
