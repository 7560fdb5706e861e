from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from catalog.vocabulary import Drift, Format
from lake.readers import Reading
from lake.readers.headers import normalise
from tests.lake.readers.making import Row, reading, refused, rows_of, values, written

PERSON = reading(
    ("register_id", "CZRKRKID", "人口 ID"),
    ("person_name", "CZRKXM", "姓名"),
    ("sex_code", "CZRKXB", "性别"),
    ("birth_date", "CZRKCSRQ", "出生日期"),
)


def read_text(tmp_path: Path, text: str, how: Reading = PERSON) -> list[Row]:
    return rows_of(how, written(tmp_path / "人口.csv", text))


@pytest.mark.parametrize(
    ("header", "same"),
    [
        ("姓名", "姓名 "),
        ("姓名", "\u3000姓名\t"),
        ("CZRKXM", "czrkxm"),
        ("CZRKXM", "\uff23\uff3a\uff32\uff2b\uff38\uff2d"),  # full-width letters
        ("人口 ID", "人口\u3000\u3000id"),
        ("金额(元)", "金额\uff08元\uff09"),  # full-width brackets
        ("备注", "备\n注".replace("\n", "")),
    ],
)
def test_headers_are_compared_without_width_case_and_white_space(header: str, same: str) -> None:
    assert normalise(header) == normalise(same)


def test_headers_that_differ_in_letters_are_not_the_same() -> None:
    assert normalise("出生日期") != normalise("出生 日期")
    assert normalise("姓名") != normalise("姓名1")


@pytest.mark.parametrize(
    "header",
    [
        "register_id,person_name,sex_code,birth_date",
        "CZRKRKID,CZRKXM,CZRKXB,CZRKCSRQ",
        "人口ID,姓名,性别,出生日期".replace("人口ID", "人口 ID"),
        " czrkrkid , 姓名\u3000,\uff33ex_code,出生日期",
        '"CZRKRKID","姓名","性别","出生日期"',
    ],
)
def test_a_column_is_known_by_its_name_and_by_every_delivered_header(
    tmp_path: Path, header: str
) -> None:
    rows = read_text(tmp_path, f"{header}\n1,张三,1,19900101\n")

    assert values(rows, "register_id", "person_name", "sex_code", "birth_date", "_missing") == [
        ("1", "张三", "1", "19900101", None)
    ]
    assert values(rows, "_extra") == [None]


def test_columns_in_another_order_are_put_in_the_contract_s(tmp_path: Path) -> None:
    rows = read_text(tmp_path, "出生日期,性别,姓名,CZRKRKID\n19900101,1,张三,7\n")

    assert values(rows, "register_id", "person_name", "sex_code", "birth_date") == [
        ("7", "张三", "1", "19900101")
    ]


def test_unknown_columns_go_into_extra_as_delivered_and_in_file_order(tmp_path: Path) -> None:
    text = '备注 ,CZRKRKID,姓名,性别,出生日期,"a""b"\nx,1,张三,1,2,"y\n""z"\n,2,李四,1,2,\n'

    rows = read_text(tmp_path, text)

    assert values(rows, "_extra") == ['{"备注 ":"x","a\\"b":"y\\n\\"z"}', None]
    assert values(rows, "register_id", "_missing") == [("1", None), ("2", None)]


def test_a_column_without_a_name_is_called_by_its_place(tmp_path: Path) -> None:
    rows = read_text(tmp_path, "CZRKRKID,姓名,,性别,出生日期,\n1,a,,1,2,\n2,b,x,1,2,y\n")

    assert values(rows, "_extra") == [None, '{"#3":"x","#6":"y"}']


def test_missing_columns_are_null_and_listed(tmp_path: Path) -> None:
    rows = read_text(tmp_path, "姓名,CZRKRKID\n张三,1\n李四,2,3\n")

    assert values(rows, "person_name", "sex_code", "birth_date") == [
        ("张三", None, None),
        (None, None, None),
    ]
    assert values(rows, "_missing") == ['["sex_code", "birth_date"]'] * 2


def test_two_headers_of_one_column_refuse_the_file(tmp_path: Path) -> None:
    why = refused(read_text(tmp_path, "CZRKRKID,姓名,性别,person_name\n1,a,1,b\n"))

    assert why["reason"] == "headers 2 ('姓名') and 4 ('person_name') are both person_name"
    assert why["file"] == "人口.csv"


def test_the_same_unknown_header_twice_refuses_the_file(tmp_path: Path) -> None:
    why = refused(read_text(tmp_path, "备注,CZRKRKID,姓名,性别,备注\nx,1,a,1,y\n"))

    assert why["reason"] == "headers 1 ('备注') and 5 ('备注') are the same"
    assert why["remedy"] == "deliver each column once"


def test_drift_can_refuse_an_unknown_column(tmp_path: Path) -> None:
    how = reading("a", "b", unknown=Drift.REFUSE)

    why = refused(read_text(tmp_path, "a,b,备注\n1,2,\n", how))

    assert "does not know the column(s) '备注'" in why["reason"]
    assert why["column"] == "备注"


def test_drift_can_refuse_values_in_a_column_without_a_name(tmp_path: Path) -> None:
    how = reading("a", "b", unknown=Drift.REFUSE)

    assert values(read_text(tmp_path, "a,b,\n1,2,\n", how), "a", "b") == [("1", "2")]
    why = refused(read_text(tmp_path, "a,b,\n1,2,\n3,4,x\n", how))
    assert (why["row"], why["column"]) == (2, "#3")


def test_drift_can_refuse_a_missing_column(tmp_path: Path) -> None:
    how = reading("a", ("b", "乙", "B2"), "c", missing=Drift.REFUSE)

    why = refused(read_text(tmp_path, "a,c\n1,2\n", how))

    assert why["reason"] == "the file lacks 1 column(s) of the contract: 'b or 乙 or B2'"
    assert why["column"] == "b"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("foo,bar,baz,qux", id="another-dataset"),
        pytest.param("姓名,性别,出生日期,备注", id="no-key-column"),
        pytest.param("CZRKRKID,a,b,c", id="fewer-than-half"),
    ],
)
@pytest.mark.parametrize("drift", list(Drift))
def test_a_header_that_does_not_match_refuses_the_file_whatever_the_drift(
    tmp_path: Path, header: str, drift: Drift
) -> None:
    how = reading(*((f.name, *f.headers[1:]) for f in PERSON.fields), unknown=drift, missing=drift)

    why = refused(read_text(tmp_path, f"{header}\n1,2,3,4\n", how))

    assert "the header does not match population.sample" in why["reason"]
    assert f"found '{header.split(',')[0]}'" in why["reason"]
    assert "'person_name or CZRKXM or 姓名'" in why["reason"]


def test_half_of_the_columns_is_enough_and_less_is_not(tmp_path: Path) -> None:
    half, less = reading("a", "b", "c", "d"), reading("a", "b", "c", "d", "e")

    assert values(read_text(tmp_path, "a,b\n1,2\n", half), "b", "d") == [("2", None)]
    assert "does not match" in refused(read_text(tmp_path, "a,b\n1,2\n", less))["reason"]


def test_a_first_row_of_data_is_refused_without_telling_it(tmp_path: Path) -> None:
    why = refused(read_text(tmp_path, "7,张三,1,19900101\n8,李四,2,19910101\n"))

    assert "found a row of 4 value(s) that looks like data; expected" in why["reason"]
    assert "张三" not in json.dumps(why, ensure_ascii=False)


def test_a_title_above_the_header_is_passed_over(tmp_path: Path) -> None:
    text = '赤壁市人口登记表,,,\n"填表说明:\n一人一行",,,\n\n单位:公安局,,,\n'

    rows = read_text(tmp_path, text + "人口 id,姓名,性别,出生日期\n1,张三,1,2\n3,4\n")

    assert values(rows, "_row_number", "register_id") == [(1, "1"), (2, None)]


def test_a_header_is_not_looked_for_below_the_fifth_record(tmp_path: Path) -> None:
    header = "人口 id,姓名,性别,出生日期\n1,张三,1,2\n"

    assert len(read_text(tmp_path, "x\n" * 4 + header)) == 1
    assert "does not match" in refused(read_text(tmp_path, "x\n" * 5 + header))["reason"]


def test_the_change_column_is_kept_beside_the_columns(tmp_path: Path) -> None:
    how = reading("a", "b", change=["操作类型", "OP"])

    rows = read_text(tmp_path, "a,op,b\n1,新增,2\n3,,4\n", how)

    assert values(rows, "a", "b", "_change", "_extra") == [
        ("1", "2", "新增", None),
        ("3", "4", None, None),
    ]


def test_a_lacking_change_column_is_refused_only_where_drift_says_so(tmp_path: Path) -> None:
    accepting = reading("a", "b", change=["OP"], missing=Drift.ACCEPT)
    refusing = reading("a", "b", change=["OP"], missing=Drift.REFUSE)

    rows = read_text(tmp_path, "a,b\n1,2\n", accepting)

    assert values(rows, "_change", "_missing") == [(None, None)]
    assert "'OP'" in refused(read_text(tmp_path, "a,b\n1,2\n", refusing))["reason"]


def test_a_dataset_without_a_key_is_known_by_half_of_its_columns(tmp_path: Path) -> None:
    how = reading("a", "b", "c", "d", key=())

    assert json.loads(read_text(tmp_path, "a,b\n1,2\n", how)[0]["_missing"]) == ["c", "d"]
    assert "does not match" in refused(read_text(tmp_path, "a,x\n1,2\n", how))["reason"]


def test_a_reading_travels_by_pickle() -> None:
    how = reading("a", ("b", "乙"), form=Format.JSON_LINES, change=["op"])

    assert how.schema.names[:2] == ["a", "b"]
    assert pickle.loads(pickle.dumps(how)) == how
    assert pickle.loads(pickle.dumps(how)).schema == how.schema
