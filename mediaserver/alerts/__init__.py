"""What lasts becomes an alert: once a cause and room in five minutes, on the page and by signed webhooks."""
