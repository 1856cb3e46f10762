# The values that wrangler.toml, the commands and a build of the image need.

output "regions" {
  description = "Origin of each region, for REGIONS of wrangler.toml."
  value       = { for region, host in local.hosts : region => "https://${host}" }
}

output "clusters" {
  description = "EARSHOT_CLUSTERS of the commands. The first cluster takes the writes."
  value = join(",", concat(
    ["${local.write_region}=${local.write_cluster}"],
    [for region, place in local.regions : "${region}=${place.cluster}" if region != local.write_region],
  ))
}

output "repository" {
  description = "Repository of the origin's images."
  value       = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "service_accounts" {
  description = "Accounts of the origins, the loader and the administrator: `gcloud --impersonate-service-account`."
  value = {
    origin = google_service_account.origin.email
    loader = google_service_account.loader.email
    admin  = google_service_account.admin.email
  }
}
