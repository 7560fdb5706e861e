"""The state store's tables, step by step; `lake.state.HEAD` names the newest step."""
