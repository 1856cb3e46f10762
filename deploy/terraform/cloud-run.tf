# One origin in each region, as a Cloud Run service beside its cluster.

locals {
  port = 8080

  # MiB of an instance beside its two caches: Node, its heap, gRPC, and 32 MiB of request bodies.
  node_memory_mib = 512
  caches_mib      = ceil((var.list_cache_bytes + var.item_cache_bytes) / 1048576)
  memory_mib      = max(1024, local.caches_mib + local.node_memory_mib)
}

resource "google_cloud_run_v2_service" "origin" {
  for_each = local.regions

  name                = "earshot-origin-${each.key}"
  location            = each.value.location
  deletion_protection = true
  labels              = local.labels

  # The load balancer alone reaches it, and that requires the client certificate of the zone: load-balancer.tf.
  ingress = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  # The origin verifies the token of the worker itself. The worker has no identity of Google.
  invoker_iam_disabled = true

  template {
    service_account                  = google_service_account.origin.email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "10s"
    max_instance_request_concurrency = 250

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = var.max_instances
    }

    containers {
      image = var.image

      # Cloud Run sets PORT to it.
      ports {
        container_port = local.port
      }

      # One process uses one core. The CPU is always allocated: the process polls the manifest between requests.
      resources {
        limits            = { cpu = "1", memory = "${local.memory_mib}Mi" }
        cpu_idle          = false
        startup_cpu_boost = true
      }

      env {
        name  = "EARSHOT_REGION"
        value = each.key
      }
      env {
        name  = "EARSHOT_PROJECT"
        value = var.project
      }
      env {
        name  = "EARSHOT_INSTANCE"
        value = google_bigtable_instance.recommendations.name
      }
      env {
        name  = "EARSHOT_LIST_MAX_AGE_DAYS"
        value = tostring(var.list_max_age_days)
      }
      env {
        name  = "EARSHOT_LIST_CACHE_BYTES"
        value = tostring(var.list_cache_bytes)
      }
      env {
        name  = "EARSHOT_ITEM_CACHE_BYTES"
        value = tostring(var.item_cache_bytes)
      }
      env {
        name  = "EARSHOT_BUILD"
        value = var.build
      }
      # For a sidecar, over the loopback address.
      env {
        name  = "EARSHOT_METRICS_PORT"
        value = "9090"
      }
      # Cloud Run kills an instance 10 s after SIGTERM. The delay is short: no new request comes after SIGTERM.
      env {
        name  = "EARSHOT_DRAIN_DELAY_MS"
        value = "1000"
      }
      env {
        name  = "EARSHOT_DRAIN_TIMEOUT_MS"
        value = "7000"
      }
      env {
        name = "EARSHOT_ORIGIN_SECRET"
        value_source {
          secret_key_ref {
            secret  = google_secret_manager_secret.origin_secret.secret_id
            version = var.origin_secret_version
          }
        }
      }
      dynamic "env" {
        for_each = var.origin_secret_previous_version == null ? [] : [var.origin_secret_previous_version]
        content {
          name = "EARSHOT_ORIGIN_SECRET_PREVIOUS"
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.origin_secret.secret_id
              version = env.value
            }
          }
        }
      }

      # Up to a minute until the connections to Bigtable are primed and the manifest is read.
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        http_get {
          path = "/readyz"
          port = local.port
        }
      }

      # Only the process counts here: without Bigtable a restart helps nothing.
      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 2
        failure_threshold = 3
        http_get {
          path = "/livez"
          port = local.port
        }
      }
    }
  }

  traffic {
    type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    percent = 100
  }

  depends_on = [
    google_secret_manager_secret_iam_member.origin_secret,
    google_bigtable_instance_iam_member.origin_reads,
    google_bigtable_table_iam_member.origin_heartbeats,
    google_bigtable_app_profile.single_cluster,
    google_bigtable_app_profile.any_cluster,
  ]
}
