"""What proves an engine: the pytest plugin, the conformance suite, the hostile suite.

Shipped, because authors of foreign engines use it: `docs/engines.md` says how. Needs pytest.
"""
