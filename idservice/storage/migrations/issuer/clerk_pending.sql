-- A clerk's role in the issuer's database of short-lived rows: it adds sealed offers, and can
-- neither read, count, change nor delete them.
-- After clerk_lasting.sql, which takes all rights in its own database away; both may be one:
-- psql -v ON_ERROR_STOP=1 -v clerk=ROLE -f clerk_pending.sql
REVOKE ALL ON offers, tokens, renewals FROM :"clerk";
GRANT USAGE ON SCHEMA public TO :"clerk";
GRANT INSERT ON offers TO :"clerk";
