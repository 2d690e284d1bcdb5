-- The database and the role of one site: psql -v site_name=aviary__aurora -v site_password="$password" -f create-site.sql
CREATE ROLE :"site_name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 20 PASSWORD :'site_password';
CREATE DATABASE :"site_name" OWNER :"site_name" TEMPLATE template0 ENCODING 'UTF8';
-- PostgreSQL lets every role connect to every database unless it is told not to.
REVOKE CONNECT, TEMPORARY ON DATABASE :"site_name" FROM PUBLIC;
