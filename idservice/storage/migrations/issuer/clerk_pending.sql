-- A clerk's role in the issuer's database of short-lived rows: it adds sealed offers, and can
-- neither read, count, change nor delete them.
-- After clerk_lasting.sql, which takes all rights of the role away first; both databases may be one:
-- psql -v ON_ERROR_STOP=1 -v clerk=ROLE -f clerk_pending.sql
GRANT USAGE ON SCHEMA public TO :"clerk";
GRANT INSERT ON offers TO :"clerk";
