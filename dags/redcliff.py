"""
The DAGs of the site, made from its contracts: airflow reads this file every half minute.

What they are is said in `redcliff_dags/kinds.py`; a DAG of one's own is a file beside this one,
see docs/cookbooks/write_a_dag.md.
"""

from __future__ import annotations

from redcliff_dags.kinds import all_dags
from redcliff_dags.place import load_manifest

globals().update(all_dags(load_manifest()))
