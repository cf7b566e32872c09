-- A clerk's role in the issuer's database of short-lived rows: it adds sealed offers, and can
-- neither read, count, change nor delete them.
-- psql -v ON_ERROR_STOP=1 -v clerk=ROLE -f clerk_pending.sql
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :"clerk";
GRANT USAGE ON SCHEMA public TO :"clerk";
GRANT INSERT ON offers TO :"clerk";
