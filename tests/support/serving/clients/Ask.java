import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;

/** Java's own client, which offers to upgrade to HTTP/2: Ask HTTP_PORT GRPC_PORT RECORDS. Prints answers by case, as JSON. */
public class Ask {
    public static void main(String[] arguments) throws Exception {
        URI uri = URI.create("http://127.0.0.1:" + arguments[0] + "/predict");
        List<String> found = new ArrayList<>();
        for (HttpClient.Version version : HttpClient.Version.values()) {
            HttpClient client = HttpClient.newBuilder().version(version).build();
            for (int number = 0; number < 3; number++) {
                HttpRequest request = HttpRequest.newBuilder(uri)
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(arguments[2]))
                    .build();
                HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
                found.add("\"" + version + " " + number + "\": " + response.body());
            }
        }
        System.out.println("{" + String.join(", ", found) + "}");
    }
}
