"""The settings file that a first start writes: every usual key, commented out."""

from __future__ import annotations

from typing import Final

SAMPLE: Final = """\
# Loupe's settings. Every key can also be given as an environment variable, e.g. LOUPE_MEDIA__PORT=7900,
# and the usual ones as flags of `loupe serve`. A flag wins over the environment, that over secret files
# (LOUPE_SECRETS_DIR), those over this file. The values below are the defaults.

# public_url = "https://loupe.example"
# trusted_proxies = ["127.0.0.1/32"]

[listen]
# host = "127.0.0.1"
# port = 8080

[tls]
# certificate = "/etc/loupe/fullchain.pem"
# key = "/etc/loupe/privkey.pem"
# self_made = false

[media]
# addresses = ["192.0.2.10"]   # empty: the address of the default route
# announced = ["198.51.100.10"]  # behind a static NAT: what clients shall use instead, in the same order
# port = 7882                  # UDP; worker i uses port + i
# workers = 0                  # 0: one per processor

[recording]
# master_key_file = "/etc/loupe/master.key"   # `loupe master-key FILE` makes one; never in the data folder
# second_folder = "/mnt/second/loupe"         # on another disk, for when the first is full

[storage]
# url = "s3://loupe/recordings"   # sealed segments move there; absent: they stay in the data folder
# endpoint = "https://s3.example"
# region = "us-east-1"
# access_key_id = "loupe"         # secret_access_key better as a secret file

[archive]
# host = "192.0.2.7"    # of the hospital's DICOM archive (PACS); absent: the review page offers none
# port = 104
# title = "PACS"        # the archive's application entity title
# own_title = "LOUPE"   # ours, to be made known to the archive

[retention]
# clinical_days = 3650
# teaching_days = 365
# test_days = 7
# quota_bytes = 2_000_000_000_000   # of all recordings; absent: as much as the disk holds

[limits]
# participants_per_room = 32
# viewers_per_room = 1000
# publications_per_participant = 8
# messages_per_second = 50
# sessions_per_invitation = 24   # who may be in at once by one link

[tokens]
# lifetime_seconds = 600

[watch]
# pictures = true    # operators are told of black, blurred, unchanged pictures; none is kept
# pictures_share = 0.25   # of a processor core, for all of them; of many sources each is looked at less often
# thumbnails = false # operators may have one small picture taken of a source; each is audited, none is kept
# canary = false     # a synthetic picture goes through the server all the time: its silence raises an alert

[history]
# keep_days = 30
# max_bytes = 4294967296   # when full, the oldest goes first

[alerts]
# allowed_networks = ["10.0.0.0/8"]   # else webhooks go to public addresses by https only
# [[alerts.webhooks]]
# url = "https://pager.example/loupe"
# secret = "whsec_..."

[log]
# level = "info"
# format = "auto"   # json | console

# [[ice_servers]]
# urls = ["turn:turn.example:3478?transport=udp"]
# username = "loupe"
# credential = "better as a secret file"
"""
