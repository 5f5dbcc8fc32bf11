CREATE TABLE IF NOT EXISTS analytics.sales_by_month (month date, category text, revenue numeric(12,2));
DELETE FROM analytics.sales_by_month WHERE month = date_trunc('month', '{{ ds }}')::date;
INSERT INTO analytics.sales_by_month
SELECT date_trunc('month', date)::date, category, sum(revenue) FROM analytics.daily_sales
WHERE date_trunc('month', date)::date = date_trunc('month', '{{ ds }}')::date GROUP BY 1, 2;
