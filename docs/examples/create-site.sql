-- The database and the role of one site. The password comes from a file that psql reads, so no process list shows it:
-- psql -v site_name=aviary__aurora -v password_file=/run/secrets/aurora_db -f create-site.sql
\set ON_ERROR_STOP on
\set site_password `cat :'password_file'`
-- Nor does the server's log show it.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SELECT :'site_password' = '' AS has_no_password \gset
\if :has_no_password
DO 'BEGIN RAISE EXCEPTION ''The file of the password is empty, or cannot be read.''; END';
\endif
CREATE ROLE :"site_name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 20
    PASSWORD :'site_password';
-- Bounds that a superuser sets and the role cannot lift: this one, for each connection, and CONNECTION LIMIT.
ALTER ROLE :"site_name" SET temp_file_limit = '1GB';
-- Bounds for honest code: the role may lift them itself.
ALTER ROLE :"site_name" SET statement_timeout = '5min';
ALTER ROLE :"site_name" SET lock_timeout = '30s';
ALTER ROLE :"site_name" SET idle_in_transaction_session_timeout = '5min';
ALTER ROLE :"site_name" SET client_connection_check_interval = '10s';
CREATE DATABASE :"site_name" OWNER :"site_name" TEMPLATE template0 ENCODING 'UTF8';
-- PostgreSQL lets every role connect to every database unless it is told not to.
REVOKE CONNECT, TEMPORARY ON DATABASE :"site_name" FROM PUBLIC;
