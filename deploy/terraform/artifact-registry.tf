# The repository of the origin's images. A service names an image by its digest.

resource "google_artifact_registry_repository" "images" {
  location      = "us"
  repository_id = "earshot"
  description   = "Images of Earshot's origin"
  format        = "DOCKER"
  labels        = local.labels

  docker_config {
    immutable_tags = true
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.apis]
}
