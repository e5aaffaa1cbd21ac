"""sandlot for Jupyter clients of this machine: a kernel provisioner, and a kernel's sockets by ZeroMQ.

Needs Python 3.11 and the extra `sandlot[jupyter]`. Clients find the provisioner by its entry point, through a
kernelspec that `sandlot jupyter install` writes.
"""
