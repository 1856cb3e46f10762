# The regions, as in REGIONS of wrangler.toml, and where each is in Google Cloud.

locals {
  regions = {
    asia   = { cluster = "recs-asia", location = "asia-southeast1", zone = "asia-southeast1-b" }
    europe = { cluster = "recs-eu", location = "europe-west1", zone = "europe-west1-b" }
    us     = { cluster = "recs-us", location = "us-central1", zone = "us-central1-b" }
  }

  # The cluster of this region takes all writes: the first one of `earshot schema apply --clusters`.
  write_region = "asia"

  labels = { service = "earshot", environment = var.environment }
}
