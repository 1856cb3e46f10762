# The APIs, and three identities with the least rights: the origins, the loader and the administrator of the tables.

resource "google_project_service" "apis" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "bigtable.googleapis.com",
    "bigtableadmin.googleapis.com",
    "certificatemanager.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "networksecurity.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
  ])

  service            = each.key
  disable_on_destroy = false
}

resource "google_service_account" "origin" {
  account_id   = "earshot-origin"
  display_name = "Earshot origins: read all tables, write heartbeats"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "loader" {
  account_id   = "earshot-loader"
  display_name = "Earshot loads and releases: earshot ingest, publish, erase"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "admin" {
  account_id   = "earshot-admin"
  display_name = "Earshot tables and app profiles: earshot schema"
  depends_on   = [google_project_service.apis]
}

resource "google_bigtable_instance_iam_member" "origin_reads" {
  instance = google_bigtable_instance.recommendations.name
  role     = "roles/bigtable.reader"
  member   = google_service_account.origin.member
}

# The one table that origins write.
resource "google_bigtable_table_iam_member" "origin_heartbeats" {
  instance_name = google_bigtable_instance.recommendations.name
  table         = google_bigtable_table.tables["heartbeats"].name
  role          = "roles/bigtable.user"
  member        = google_service_account.origin.member
}

# Reads and writes rows, and asks if a write has reached every cluster. It changes no table.
resource "google_bigtable_instance_iam_member" "loader" {
  instance = google_bigtable_instance.recommendations.name
  role     = "roles/bigtable.user"
  member   = google_service_account.loader.member
}

resource "google_bigtable_instance_iam_member" "admin" {
  instance = google_bigtable_instance.recommendations.name
  role     = "roles/bigtable.admin"
  member   = google_service_account.admin.member
}

# People and pipelines act as these accounts with short tokens. No account has a key.
resource "google_service_account_iam_member" "loader" {
  for_each = var.loader_members

  service_account_id = google_service_account.loader.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}

resource "google_service_account_iam_member" "admin" {
  for_each = var.admin_members

  service_account_id = google_service_account.admin.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}
