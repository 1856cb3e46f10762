# The instance, the tables and the app profiles. They are those of `earshot schema apply`, which the tests compare.
#
# One thing stays with that command: the app profile `default`, with the lowest priority and one cluster. Bigtable
# creates it with the instance, so this module could only import it, and not in the apply that makes the instance.
# Run `earshot schema apply` once after the first apply, and `earshot schema check` after each.

locals {
  # max_age_days: null keeps cells of any age.
  tables = {
    recommendations = { family = "l", max_versions = 6, max_age_days = var.list_max_age_days, hashed = true }
    items           = { family = "m", max_versions = 3, max_age_days = null, hashed = true }
    control         = { family = "c", max_versions = 200, max_age_days = null, hashed = false }
    heartbeats      = { family = "h", max_versions = 1, max_age_days = 1, hashed = false }
  }

  # Row keys of these tables begin with four digits of a hash. 16 tablets take a load from its start.
  splits = [for i in range(1, 16) : format("%x000", i)]

  write_cluster = local.regions[local.write_region].cluster

  serve_profiles = { for region, place in local.regions : "serve-${region}" => {
    description   = "serves ${region}"
    cluster       = place.cluster
    transactional = false
    priority      = "PRIORITY_HIGH"
  } }

  # For the time without the write cluster: docs/operations.md.
  control_profiles = { for region, place in local.regions : "control-${region}" => {
    description   = "compare-and-set in ${region}, while the write cluster is gone"
    cluster       = place.cluster
    transactional = true
    priority      = "PRIORITY_HIGH"
  } }

  write_profiles = {
    ingest = {
      description   = "bulk loads"
      cluster       = local.write_cluster
      transactional = false
      priority      = "PRIORITY_LOW"
    }
    control = {
      description   = "compare-and-set of the manifest"
      cluster       = local.write_cluster
      transactional = true
      priority      = "PRIORITY_HIGH"
    }
  }
}

resource "google_bigtable_instance" "recommendations" {
  name                = var.instance
  display_name        = "Earshot ${var.environment}"
  deletion_protection = true
  labels              = local.labels

  dynamic "cluster" {
    for_each = local.regions
    content {
      cluster_id   = cluster.value.cluster
      zone         = cluster.value.zone
      storage_type = "SSD"

      autoscaling_config {
        min_nodes = var.min_nodes
        max_nodes = var.max_nodes
        # Percent. Above 60 the latency of reads grows.
        cpu_target = 60
      }
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.apis]
}

resource "google_bigtable_table" "tables" {
  for_each = local.tables

  instance_name       = google_bigtable_instance.recommendations.name
  name                = each.key
  split_keys          = each.value.hashed ? local.splits : null
  deletion_protection = "PROTECTED"

  column_family {
    family = each.value.family
  }

  lifecycle {
    prevent_destroy = true
    # Splits count at the creation only. Another value would create the table again.
    ignore_changes = [split_keys]
  }
}

# A cell is collected if it is behind the newest versions, or too old.
resource "google_bigtable_gc_policy" "tables" {
  for_each = local.tables

  instance_name = google_bigtable_instance.recommendations.name
  table         = google_bigtable_table.tables[each.key].name
  column_family = each.value.family
  mode          = each.value.max_age_days == null ? null : "UNION"

  max_version {
    number = each.value.max_versions
  }

  dynamic "max_age" {
    for_each = each.value.max_age_days == null ? [] : [each.value.max_age_days]
    content {
      duration = "${max_age.value * 24}h"
    }
  }

  # A replicated table keeps its rule when this resource goes: without one it would keep every version.
  deletion_policy = "ABANDON"
  # Bigtable warns of a rule that keeps more on a replicated table. Its clusters differ until the next load.
  ignore_warnings = true
}

resource "google_bigtable_app_profile" "single_cluster" {
  for_each = merge(local.serve_profiles, local.control_profiles, local.write_profiles)

  instance       = google_bigtable_instance.recommendations.name
  app_profile_id = each.key
  description    = each.value.description

  single_cluster_routing {
    cluster_id                 = each.value.cluster
    allow_transactional_writes = each.value.transactional
  }

  standard_isolation {
    priority = each.value.priority
  }

  # Bigtable warns of compare-and-set in more than one cluster. Only one of them is used at a time.
  ignore_warnings = true
}

# Without row affinity: it does not hold for reads of several rows, and every read of an origin is one.
resource "google_bigtable_app_profile" "any_cluster" {
  instance       = google_bigtable_instance.recommendations.name
  app_profile_id = "serve-any"
  description    = "the hedge and the last resort"

  multi_cluster_routing_use_any = true

  standard_isolation {
    priority = "PRIORITY_HIGH"
  }

  ignore_warnings = true
}
