CREATE SCHEMA IF NOT EXISTS analytics;
CREATE TABLE IF NOT EXISTS analytics.daily_sales (date date, category text, orders bigint, revenue numeric(12,2));
DELETE FROM analytics.daily_sales WHERE date = '{{ ds }}';
INSERT INTO analytics.daily_sales
SELECT date, category, count(*), sum(amount) FROM staging.orders WHERE date = '{{ ds }}' GROUP BY date, category;
