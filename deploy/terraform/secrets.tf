# Secrets without their values: `gcloud secrets versions add` adds those, so neither a file nor the state has one.
#
#   openssl rand -base64 32 | tr -d '\n' | gcloud secrets versions add earshot-origin-secret --data-file=-

# ORIGIN_SECRET of the worker, and EARSHOT_ORIGIN_SECRET of origins and commands.
resource "google_secret_manager_secret" "origin_secret" {
  secret_id = "earshot-origin-secret"
  labels    = local.labels

  replication {
    auto {}
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.apis]
}

# HASH_KEY of the worker, and EARSHOT_HASH_KEY of commands. Origins do not have it.
resource "google_secret_manager_secret" "hash_key" {
  secret_id = "earshot-hash-key"
  labels    = local.labels

  replication {
    auto {}
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.apis]
}

resource "google_secret_manager_secret_iam_member" "origin_secret" {
  for_each = {
    origin = google_service_account.origin.member
    loader = google_service_account.loader.member
  }

  secret_id = google_secret_manager_secret.origin_secret.id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

resource "google_secret_manager_secret_iam_member" "hash_key" {
  secret_id = google_secret_manager_secret.hash_key.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.loader.member
}
