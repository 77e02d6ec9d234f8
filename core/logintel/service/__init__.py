"""Running as a service: what the service manager and monitoring are told about a process, and how they know it lives.

health   whether each part of the process gets on
notify   systemd's notification protocol
watched  the two together: ready, status, watchdog
http_server  uvicorn inside a process that has more to do
monitor  /livez, /readyz and /metrics over HTTP
"""
