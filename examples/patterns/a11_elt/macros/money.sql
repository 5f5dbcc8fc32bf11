CREATE MACRO cents(amount) AS CAST(round(amount * 100) AS bigint);
