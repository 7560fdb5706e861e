"""The departments of the city (部门), as `conf/departments.yaml` lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import Finding
from catalog.grammar import Fields, Items, Record, Text
from catalog.naming import DATASET_NAME
from catalog.nodes import read_document
from catalog.parsed import Parsed

FILE = Path("conf") / "departments.yaml"


@dataclass(frozen=True)
class Department:
    """A department: who delivers, asks for, or approves the use of data."""

    code: str
    name: str
    english_name: str
    division_code: str | None = None


_DEPARTMENT = Record(
    {
        "code": Text("a code such as public_security", DATASET_NAME),
        "name": Text(),
        "english_name": Text(),
        "division_code": Text("a division code such as 421281", re.compile(r"\d{6}|\d{9}")),
    },
    required=("code", "name", "english_name"),
    open=True,
)
_FILE = Record({"departments": Items(_DEPARTMENT)}, required=("departments",))


def read_departments(site: Path) -> tuple[Mapping[str, Department], list[Finding]]:
    """The departments of a site by their code, and what is wrong with the file."""
    name = FILE.as_posix()
    try:
        document = read_document((site / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}, [Finding(name, 1, "the file is missing")]
    except UnicodeDecodeError:
        return {}, [Finding(name, 1, "not UTF-8")]
    parsed = Parsed(name, document)
    parsed.findings += [Finding(name, fault.line, fault.message) for fault in document.faults]
    read = _FILE.read(document.value, (), parsed.tell) if document.value is not None else None
    departments: dict[str, Department] = {}
    for item in read.get("departments", ()) if isinstance(read, Fields) else ():
        if not {"code", "name", "english_name"} <= item.keys():
            continue
        if item["code"] in departments:
            parsed.tell(item.at("code"), f"the department {item['code']!r} stands twice")
        departments[item["code"]] = Department(
            item["code"], item["name"], item["english_name"], item.get("division_code")
        )
    return departments, parsed.findings
