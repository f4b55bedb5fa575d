// The page that tries the API: Swagger UI over our own description, without anything from elsewhere.
const box = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: box.dataset.url,
  domNode: box,
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  persistAuthorization: false,
  queryConfigEnabled: false,
  tryItOutEnabled: true,
});
