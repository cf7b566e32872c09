-- A clerk's role in the issuer's database of lasting rows: it adds the index row of a new handle,
-- and can neither read, count, change nor delete any.
-- After `idservice migrate issuer`, and before clerk_pending.sql:
-- psql -v ON_ERROR_STOP=1 -v clerk=ROLE -f clerk_lasting.sql
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :"clerk";
GRANT USAGE ON SCHEMA public TO :"clerk";
GRANT INSERT ON index_rows TO :"clerk";
