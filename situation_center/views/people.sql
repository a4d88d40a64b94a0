-- active_accounts: who can sign in, with what limits them.
SELECT account_id, login, role, services FROM account WHERE active ORDER BY login

-- organisations: utilities and contractors.
SELECT object_id, name_ru, name_en FROM object_now WHERE class = 'organisation' ORDER BY name_ru
