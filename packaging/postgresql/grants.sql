-- What readers may see, run by the collector's role after `logintel collector setup` (and after that of a new version):
--   psql -v ON_ERROR_STOP=1 -v reader=logintel_reader "$DSN" -f grants.sql
-- Not users, user_sessions and api_keys, which hold hashes and tokens; nor what goes on from where it was. A partition
-- needs no grant of its own: who may read log_entries reads all of them.
GRANT SELECT ON log_entries, log_sources, alerts, alert_rules, dashboards, ml_models TO :"reader";
