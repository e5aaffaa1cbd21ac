"""Boxes on another machine: on any backend that speaks NoxRunner v1, with full power on a sandlot server."""
