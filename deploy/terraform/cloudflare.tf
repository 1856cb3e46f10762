# The parts that the worker needs before it is deployed: queues, the archive of exposures, and the origins' hosts.
#
# The worker itself, its route or custom domain, its bindings and the consumer of the queue are not here. They go
# out with `wrangler deploy` from wrangler.toml, and two owners would undo each other's changes.

locals {
  # The names in the sections [env.staging] and [env.production] of wrangler.toml.
  exposures             = "earshot-exposures-${var.environment}"
  exposures_dead        = "earshot-exposures-${var.environment}-dead"
  day_seconds           = 86400
  exposures_days        = 90
  dead_letters_max_days = 14
}

data "cloudflare_zone" "zone" {
  filter = {
    name = var.cloudflare_zone
  }
}

resource "cloudflare_queue" "exposures" {
  account_id = var.cloudflare_account_id
  queue_name = local.exposures
}

# The default is four days: too few for a weekend and a repair.
resource "cloudflare_queue" "exposures_dead" {
  account_id = var.cloudflare_account_id
  queue_name = local.exposures_dead

  settings = {
    message_retention_period = local.dead_letters_max_days * local.day_seconds
  }
}

resource "cloudflare_r2_bucket" "exposures" {
  account_id = var.cloudflare_account_id
  name       = local.exposures

  lifecycle {
    prevent_destroy = true
  }
}

# Without the rule R2 keeps exposures for ever.
resource "cloudflare_r2_bucket_lifecycle" "exposures" {
  account_id  = var.cloudflare_account_id
  bucket_name = cloudflare_r2_bucket.exposures.name

  rules = [{
    id         = "delete-after-${local.exposures_days}-days"
    enabled    = true
    conditions = { prefix = "exposures/" }
    delete_objects_transition = {
      condition = { type = "Age", max_age = local.exposures_days * local.day_seconds }
    }
  }]
}

# Proxied: Cloudflare shows its client certificate, and no address of an origin is public.
resource "cloudflare_dns_record" "origin" {
  for_each = local.hosts

  zone_id = data.cloudflare_zone.zone.zone_id
  name    = each.value
  type    = "A"
  content = google_compute_global_address.origins.address
  ttl     = 1
  proxied = true
}

resource "cloudflare_dns_record" "origin_certificate" {
  for_each = local.hosts

  zone_id = data.cloudflare_zone.zone.zone_id
  name    = trimsuffix(google_certificate_manager_dns_authorization.origin[each.key].dns_resource_record[0].name, ".")
  type    = google_certificate_manager_dns_authorization.origin[each.key].dns_resource_record[0].type
  content = google_certificate_manager_dns_authorization.origin[each.key].dns_resource_record[0].data
  ttl     = 300
  proxied = false
}

# The certificate and its key are uploaded by hand, because the state would have the key: README.md.
resource "cloudflare_authenticated_origin_pulls_settings" "zone" {
  zone_id = data.cloudflare_zone.zone.zone_id
  enabled = true
}
