"""What operators see: samples of every leg, who is hurt and why, alerts, reports."""
