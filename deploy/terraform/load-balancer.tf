# The hosts of the origins: one load balancer that leads each host to the service of its region. It passes only
# /internal/, and only for a client with the certificate that Cloudflare shows for the zone: authenticated origin
# pulls.

locals {
  hosts = { for region in keys(local.regions) : region => "${region}.${var.origin_domain}" }
}

resource "google_compute_global_address" "origins" {
  name       = "earshot-origins"
  depends_on = [google_project_service.apis]
}

resource "google_compute_region_network_endpoint_group" "origin" {
  for_each = local.regions

  name                  = "earshot-origin-${each.key}"
  region                = each.value.location
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.origin[each.key].name
  }
}

resource "google_compute_backend_service" "origin" {
  for_each = local.regions

  name                  = "earshot-origin-${each.key}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"

  backend {
    group = google_compute_region_network_endpoint_group.origin[each.key].id
  }
}

resource "google_compute_url_map" "origins" {
  name            = "earshot-origins"
  default_service = google_compute_backend_service.origin[local.write_region].id

  # An unknown host gets 404.
  default_route_action {
    fault_injection_policy {
      abort {
        http_status = 404
        percentage  = 100
      }
    }
  }

  dynamic "host_rule" {
    for_each = local.hosts
    content {
      hosts        = [host_rule.value]
      path_matcher = host_rule.key
    }
  }

  dynamic "path_matcher" {
    for_each = local.regions
    content {
      name            = path_matcher.key
      default_service = google_compute_backend_service.origin[path_matcher.key].id

      default_route_action {
        fault_injection_policy {
          abort {
            http_status = 404
            percentage  = 100
          }
        }
      }

      path_rule {
        paths   = ["/internal/*"]
        service = google_compute_backend_service.origin[path_matcher.key].id
      }
    }
  }
}

# The records of the origins lead to Cloudflare, so the certificate is authorised by a record of its own.
resource "google_certificate_manager_dns_authorization" "origin" {
  for_each = local.hosts

  name   = "earshot-origin-${each.key}"
  domain = each.value

  depends_on = [google_project_service.apis]
}

resource "google_certificate_manager_certificate" "origins" {
  name = "earshot-origins"

  managed {
    domains            = values(local.hosts)
    dns_authorizations = [for region in keys(local.hosts) : google_certificate_manager_dns_authorization.origin[region].id]
  }
}

resource "google_certificate_manager_certificate_map" "origins" {
  name       = "earshot-origins"
  depends_on = [google_project_service.apis]
}

resource "google_certificate_manager_certificate_map_entry" "origins" {
  for_each = local.hosts

  name         = "earshot-origin-${each.key}"
  map          = google_certificate_manager_certificate_map.origins.name
  hostname     = each.value
  certificates = [google_certificate_manager_certificate.origins.id]
}

# A certificate of the zone's own. The one that all customers of Cloudflare share would let their zones in.
resource "google_certificate_manager_trust_config" "origin_pulls" {
  name     = "earshot-origin-pulls"
  location = "global"

  trust_stores {
    trust_anchors {
      pem_certificate = var.origin_pull_ca
    }
  }

  depends_on = [google_project_service.apis]
}

resource "google_network_security_server_tls_policy" "origin_pulls" {
  name     = "earshot-origin-pulls"
  location = "global"

  mtls_policy {
    client_validation_mode         = "REJECT_INVALID"
    client_validation_trust_config = google_certificate_manager_trust_config.origin_pulls.id
  }
}

resource "google_compute_ssl_policy" "origins" {
  name            = "earshot-origins"
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
  depends_on      = [google_project_service.apis]
}

resource "google_compute_target_https_proxy" "origins" {
  name              = "earshot-origins"
  url_map           = google_compute_url_map.origins.id
  certificate_map   = "//certificatemanager.googleapis.com/${google_certificate_manager_certificate_map.origins.id}"
  server_tls_policy = google_network_security_server_tls_policy.origin_pulls.id
  ssl_policy        = google_compute_ssl_policy.origins.id
}

resource "google_compute_global_forwarding_rule" "origins" {
  name                  = "earshot-origins"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.origins.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.origins.id
}
