import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.concurrent.Executors;

/**
 * The shop's pages without its forms, on a JVM: Shop PORT DATABASE-PORT PATIENCE. Each thread has a connection to
 * MariaDB, which is made anew after an error; a database that says nothing for so many milliseconds is an error.
 */
public final class Shop {
	private static final int THREADS = 128;
	private static final long HEAVY = 250; // milliseconds
	private static final long REPORT = 1200;

	private final String database;
	private final ThreadLocal<Connection> connection = new ThreadLocal<>();

	private Shop(String port, String patience) {
		database = "jdbc:mariadb://127.0.0.1:" + port
			+ "/shop?user=shop&password=the-right-password&connectTimeout=1000&socketTimeout=" + patience;
	}

	public static void main(String[] args) throws IOException {
		var shop = new Shop(args[1], args[2]);
		var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 1024);
		server.createContext("/", x -> shop.serve(x, shop::items));
		server.createContext("/heavy", x -> shop.serve(x, () -> waited(HEAVY)));
		server.createContext("/report", x -> shop.serve(x, () -> waited(REPORT)));
		server.setExecutor(Executors.newFixedThreadPool(THREADS));
		server.start();
	}

	/** A page that may fail. */
	private interface Page {
		String make() throws Exception;
	}

	private void serve(HttpExchange x, Page page) throws IOException {
		int status = 200;
		String text;
		try {
			text = page.make();
		} catch (Exception problem) {
			status = 500;
			text = problem + "\n";
		}
		byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
		x.getResponseHeaders().set("Content-Type", "text/html; charset=utf-8");
		x.sendResponseHeaders(status, bytes.length);
		try (var body = x.getResponseBody()) {
			body.write(bytes);
		}
	}

	private static String waited(long milliseconds) throws InterruptedException {
		Thread.sleep(milliseconds);
		return "<h1>It takes its time</h1>\n";
	}

	/** The items, once more over a new connection if one that was kept is broken, as pools of connections do. */
	private String items() throws SQLException {
		boolean kept = connection.get() != null;
		try {
			return selected();
		} catch (SQLException problem) {
			disconnect();
			if (!kept) {
				throw problem;
			}
		}
		try {
			return selected();
		} catch (SQLException problem) {
			disconnect();
			throw problem;
		}
	}

	private String selected() throws SQLException {
		if (connection.get() == null) {
			connection.set(DriverManager.getConnection(database));
		}
		var html = new StringBuilder("<h1>Items</h1>\n");
		try (PreparedStatement query = connection.get().prepareStatement("SELECT id, name, price FROM items LIMIT 20");
			ResultSet rows = query.executeQuery()) {
			while (rows.next()) {
				html.append("<p>").append(rows.getString(2)).append(": ").append(rows.getInt(3)).append(" yen</p>\n");
			}
		}
		return html.toString();
	}

	private void disconnect() {
		try (var broken = connection.get()) {
			connection.remove();
		} catch (SQLException ignored) {
			// it was broken
		}
	}
}
