-- Who may do what, run once by a superuser in the database of logintel, before `logintel collector setup`:
--   psql -v ON_ERROR_STOP=1 -v collector=logintel -v reader=logintel_reader -v backup=logintel_backup -d logintel -f roles.sql
-- Safe to repeat. Passwords are set apart (\password ROLE), or clients come with certificates.
SELECT format('CREATE ROLE %I LOGIN', :'collector') WHERE to_regrole(quote_ident(:'collector')) IS NULL \gexec
SELECT format('CREATE ROLE %I', :'reader') WHERE to_regrole(quote_ident(:'reader')) IS NULL \gexec
SELECT format('CREATE ROLE %I LOGIN REPLICATION', :'backup') WHERE to_regrole(quote_ident(:'backup')) IS NULL \gexec

-- The collector owns its schema, where partitions come and go, and nothing else.
ALTER ROLE :"collector" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
CREATE SCHEMA IF NOT EXISTS logintel AUTHORIZATION :"collector";
SELECT format('ALTER ROLE %I IN DATABASE %I SET search_path = logintel', role, current_database())
FROM unnest(ARRAY[:'collector', :'reader']) AS role \gexec

-- TEMPORARY: where COPY meets rows that are there already, the recorder compares in a temporary table.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), :'collector') \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'reader') \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- People and applications that read are members of the reader: GRANT logintel_reader TO somebody.
GRANT USAGE ON SCHEMA logintel TO :"reader";
