"""Why somebody is hurt: samples of a second in, findings with evidence out. Pure."""
